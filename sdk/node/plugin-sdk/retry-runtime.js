export { createRateLimitRetryRunner, createTelegramRetryRunner, resolveRetryConfig, retryAsync, TELEGRAM_RETRY_DEFAULTS } from './internal/retry.js';
