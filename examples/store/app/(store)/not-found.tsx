export { default } from '@/lib/routes/not-found-page'
