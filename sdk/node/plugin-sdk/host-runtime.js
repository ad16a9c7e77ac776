export { normalizeHostname } from './internal/hostnames.js';
