export { fetchWithSsrFGuard } from './internal/ssrf.js';
