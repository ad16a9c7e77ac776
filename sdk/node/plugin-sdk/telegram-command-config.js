// Types only.
export {};
export { TELEGRAM_COMMAND_NAME_PATTERN, getTelegramCommandNamePattern, normalizeTelegramCommandDescription, normalizeTelegramCommandName, resolveTelegramCustomCommands } from './internal/custom-commands.js';
