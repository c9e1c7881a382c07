export { default } from '@/lib/routes/home-page'
