// Types only.
export { resolveTelegramAccount } from './internal/telegram-account.js';
