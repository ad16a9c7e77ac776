export { normalizeWebhookPath, resolveWebhookPath } from './internal/webhook-targets.js';
