// The answers to `/help` and `/commands`.
import { getPluginCommandSpecs, listChatCommandsForConfig } from './text-commands.js';

/** Commands on one page. */
const PAGE = 8;
const TITLES = { session: 'Session', options: 'Options', status: 'Status', management: 'Management', media: 'Media', tools: 'Tools', docks: 'Docks', plugins: 'Plugins' };

function lineOf({ textAliases = [], nativeName, name, description }) {
  const [first = `/${nativeName ?? name}`, ...others] = textAliases;
  return `${first}${others.length > 0 ? ` (${others.join(', ')})` : ''} - ${description}`;
}
function groupsOf(cfg, skillCommands, surface) {
  const commands = listChatCommandsForConfig(cfg ?? {}, { skillCommands }).filter(({ scope }) => scope !== 'native');
  const rows = [...commands.map((command) => [command.category ?? 'tools', lineOf(command)]), ...getPluginCommandSpecs(surface).map((spec) => ['plugins', lineOf(spec)])];
  return Object.entries(TITLES).map(([key, title]) => ({ title, lines: rows.filter(([category]) => category === key).map(([, line]) => line) })).filter(({ lines }) => lines.length > 0);
}
const text = (groups) => groups.map(({ title, lines }) => `${title}\n${lines.map((line) => `  ${line}`).join('\n')}`).join('\n\n');

/** A short help. @param {object} [cfg] @returns {string} */
export function buildHelpMessage(cfg) {
  return `ℹ️ Help\n\n${text(groupsOf(cfg).filter(({ title }) => title !== 'Plugins'))}\n\nMore: /commands`;
}
/** A page of commands; on channels without buttons all of them. @param {object} [cfg] @param {any[]} [skillCommands] @param {{page?: number, surface?: string}} [options] @returns {{text: string, totalPages: number, currentPage: number, hasNext: boolean, hasPrev: boolean}} */
export function buildCommandsMessagePaginated(cfg, skillCommands, options = {}) {
  const groups = groupsOf(cfg, skillCommands, options.surface);
  const all = groups.flatMap(({ title, lines }) => lines.map((line) => ({ title, line })));
  const paged = options.surface?.toLowerCase() === 'telegram';
  const totalPages = paged ? Math.max(1, Math.ceil(all.length / PAGE)) : 1;
  const currentPage = paged ? Math.min(Math.max(1, Math.floor(options.page ?? 1)), totalPages) : 1;
  const shown = paged ? all.slice((currentPage - 1) * PAGE, currentPage * PAGE) : all;
  const grouped = [...Map.groupBy(shown, ({ title }) => title)].map(([title, rows]) => ({ title, lines: rows.map(({ line }) => line) }));
  return { text: `ℹ️ Commands${paged ? ` (${currentPage}/${totalPages})` : ''}\n\n${text(grouped)}`, totalPages, currentPage, hasNext: currentPage < totalPages, hasPrev: currentPage > 1 };
}
/** The text of that page. @param {object} [cfg] @param {any[]} [skillCommands] @param {{page?: number, surface?: string}} [options] @returns {string} */
export const buildCommandsMessage = (cfg, skillCommands, options) => buildCommandsMessagePaginated(cfg, skillCommands, options).text;
/** Buttons to turn pages. @param {number} currentPage @param {number} totalPages @param {string} [agentId] @returns {{text: string, callback_data: string}[][]} */
export function buildCommandsPaginationKeyboard(currentPage, totalPages, agentId) {
  const button = (label, page) => ({ text: label, callback_data: `commands_page_${page}${agentId ? `:${agentId}` : ''}` });
  const turn = [currentPage > 1 && button('◀ Prev', currentPage - 1), button(`${currentPage}/${totalPages}`, 'noop'), currentPage < totalPages && button('Next ▶', currentPage + 1)];
  return [turn.filter(Boolean)];
}
