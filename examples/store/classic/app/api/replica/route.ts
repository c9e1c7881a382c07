export { GET } from '@/lib/routes/replica-route'
