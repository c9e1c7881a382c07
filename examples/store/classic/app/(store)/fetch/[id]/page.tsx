export { default } from '@/lib/routes/fetch-page'
