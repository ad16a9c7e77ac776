export { getRuntimeConfigSnapshot } from './internal/host.js';
