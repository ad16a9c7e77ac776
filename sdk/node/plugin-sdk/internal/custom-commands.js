// Commands that users add to the menu of Telegram.
import { normalizeLowercaseStringOrEmpty } from './strings.js';

/** Names that Telegram accepts. */
export const TELEGRAM_COMMAND_NAME_PATTERN = /^[a-z0-9_]{1,32}$/;
/** @returns {RegExp} */
export const getTelegramCommandNamePattern = () => TELEGRAM_COMMAND_NAME_PATTERN;
/** A command without slash, in lower case, with underscores. @param {string} value @returns {string} */
export const normalizeTelegramCommandName = (value) => normalizeLowercaseStringOrEmpty(value.trim().replace(/^\//, '')).replace(/-/g, '_');
/** @param {string} value @returns {string} */
export const normalizeTelegramCommandDescription = (value) => value.trim();

/**
 * The commands of the configuration that can be shown, and why the others cannot.
 * @param {{commands?: {command?: string, description?: string}[]|null, reservedCommands?: Set<string>, checkReserved?: boolean, checkDuplicates?: boolean}} params
 * @returns {{commands: {command: string, description: string}[], issues: {index: number, field: string, message: string}[]}}
 */
export function resolveTelegramCustomCommands({ commands, reservedCommands = new Set(), checkReserved = true, checkDuplicates = true }) {
  const accepted = [];
  const issues = [];
  const names = new Set();
  for (const [index, entry] of (Array.isArray(commands) ? commands : []).entries()) {
    const command = normalizeTelegramCommandName(entry?.command ?? '');
    const description = normalizeTelegramCommandDescription(entry?.description ?? '');
    const refuse = (field, message) => issues.push({ index, field, message: `Telegram custom command ${message}.` });
    if (!command) refuse('command', 'is missing a command name');
    else if (!TELEGRAM_COMMAND_NAME_PATTERN.test(command)) refuse('command', `"/${command}" is invalid (use a-z, 0-9, underscore; max 32 chars)`);
    else if (checkReserved && reservedCommands.has(command)) refuse('command', `"/${command}" conflicts with a native command`);
    else if (checkDuplicates && names.has(command)) refuse('command', `"/${command}" is duplicated`);
    else if (!description) refuse('description', `"/${command}" is missing a description`);
    else {
      names.add(command);
      accepted.push({ command, description });
    }
  }
  return { commands: accepted, issues };
}
