export { default, metadata } from '@/lib/routes/root-layout'
