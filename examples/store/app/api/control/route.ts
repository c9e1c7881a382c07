export { POST } from '@/lib/routes/control-route'
