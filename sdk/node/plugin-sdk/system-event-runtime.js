export { enqueueSystemEvent } from './internal/host.js';
