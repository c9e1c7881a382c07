export { default } from '@/lib/routes/memo-page'
