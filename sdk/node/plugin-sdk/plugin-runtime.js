export { normalizePluginHttpPath } from './internal/webhook-targets.js';
