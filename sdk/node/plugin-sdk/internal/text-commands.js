// Commands in texts: which one it is, and the lists that people are shown.
import { plugins, snapshot } from '../../worker/state.js';
import { normalizeCommandBody } from './command-text.js';
import { listChatCommands, listNativeCommandSpecs } from './native-commands.js';
import { escapeRegExp, normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

/** Commands that a setting must switch on. */
const SWITCHED = ['config', 'mcp', 'plugins', 'debug', 'bash'];
/** Whether the configuration has a command on. @param {object} cfg @param {string} key @returns {boolean} */
export const isCommandEnabled = (cfg, key) => !SWITCHED.includes(key) || (Object.hasOwn(cfg?.commands ?? {}, key) && cfg.commands[key] === true);

/** The commands that the configuration has on. @param {object} cfg @param {{skillCommands?: object[]}} [params] @returns {object[]} */
export const listChatCommandsForConfig = (cfg, params) => listChatCommands(params).filter(({ key }) => isCommandEnabled(cfg, key));
/** The same as channels show them natively. @param {object} cfg @param {{skillCommands?: object[], provider?: string}} [params] @returns {object[]} */
export function listNativeCommandSpecsForConfig(cfg, params) {
  const on = new Set(listChatCommandsForConfig(cfg, params).flatMap(({ nativeName, nativeAliases }) => [nativeName, ...(nativeAliases ?? [])]));
  return listNativeCommandSpecs(params).filter(({ name }) => on.has(name));
}

const aliasesOf = ({ textAliases = [] }) => textAliases.map(normalizeOptionalLowercaseString).filter(Boolean);
let found;
/** What commands look like. @param {object} [_cfg] @returns {{exact: Set<string>, regex: RegExp}} */
export function getCommandDetection(_cfg) {
  const commands = listChatCommands();
  const key = commands.map(({ key: name, acceptsArgs }) => `${name}${acceptsArgs}`).join();
  if (found?.key !== key) {
    const patterns = commands.flatMap((command) => aliasesOf(command).map((alias) => `${escapeRegExp(alias)}${command.acceptsArgs ? '(?:\\s+.+|\\s*:\\s*.*)?' : '(?:\\s*:\\s*)?'}`));
    found = { key, exact: new Set(commands.flatMap(aliasesOf)), regex: patterns.length > 0 ? new RegExp(`^(?:${patterns.join('|')})$`, 'i') : /$^/ };
  }
  return { exact: found.exact, regex: found.regex };
}

/** The spelling of a known command that a text starts with. @param {string} raw @param {object} [cfg] @returns {string | null} */
export function maybeResolveTextAlias(raw, cfg) {
  const text = normalizeCommandBody(raw).trim().toLowerCase();
  if (!text.startsWith('/')) return null;
  const { exact, regex } = getCommandDetection(cfg);
  if (exact.has(text)) return text;
  const name = regex.test(text) ? /^(\/[^\s:]+)(?:\s|$)/.exec(text)?.[1] : undefined;
  return name && exact.has(name) ? name : null;
}
/** The command of a text with its arguments. @param {string} raw @param {object} [cfg] @returns {{command: object, args?: string} | null} */
export function resolveTextCommand(raw, cfg) {
  const text = normalizeCommandBody(raw).trim();
  const alias = maybeResolveTextAlias(text, cfg);
  const command = alias ? listChatCommands().find((one) => aliasesOf(one).includes(alias)) : undefined;
  if (!command) return null;
  return command.acceptsArgs ? { command, args: text.slice(alias.length).trim() || undefined } : { command };
}
/** Whether a text looks like a command, known or not. @param {string} raw @returns {boolean} */
export const isCommandMessage = (raw) => normalizeCommandBody(raw).startsWith('/');
/** @param {string} name @param {string} [args] @returns {string} */
export const buildCommandText = (name, args) => `/${name}${args?.trim() ? ` ${args.trim()}` : ''}`;

/** Names that no other command may take. @param {string[]} [extraNames] @returns {Set<string>} */
export const listReservedChatSlashCommandNames = (extraNames = []) =>
  new Set([
    ...listChatCommands().flatMap((command) => [normalizeOptionalLowercaseString(command.nativeName), ...aliasesOf(command).filter((alias) => alias.startsWith('/')).map((alias) => alias.slice(1))]),
    ...extraNames.map(normalizeOptionalLowercaseString),
  ].filter((name) => name !== undefined));

/** Skills as commands. Skills here are texts that the model reads; the gateway has no command for one, so there is none to list. @returns {object[]} */
export const listSkillCommandsForAgents = () => [];
export const listSkillCommandsForWorkspace = listSkillCommandsForAgents;

const slug = (text) => normalizeLowercaseStringOrEmpty(text).replace(/[\s_]+/g, '-');
const namedSkill = (skills, raw) => {
  const [plain, dashed] = [normalizeLowercaseStringOrEmpty(raw), slug(raw)];
  return plain ? skills.find(({ name, skillName }) => [name, skillName].some((one) => normalizeLowercaseStringOrEmpty(one) === plain || slug(one) === dashed)) : undefined;
};
/** The skill that a command names: `/name …` or `/skill name …`. @param {{commandBodyNormalized: string, skillCommands: any[]}} params @returns {{command: any, args?: string} | null} */
export function resolveSkillCommandInvocation({ commandBodyNormalized, skillCommands }) {
  const words = (text) => /^(\S+)(?:\s+([\s\S]+))?$/.exec(text.trim()) ?? [];
  const [, name, rest] = words(/^\/([\s\S]*)/.exec(commandBodyNormalized.trim())?.[1] ?? '');
  if (!name || commandBodyNormalized.trim()[1] !== name[0]) return null;
  const [, skill, args] = name.toLowerCase() === 'skill' ? words(rest ?? '') : [undefined, undefined, rest];
  if (name.toLowerCase() === 'skill' && !skill) return null;
  const command = skill ? namedSkill(skillCommands, skill) : skillCommands.find((one) => normalizeOptionalLowercaseString(one.name) === name.toLowerCase());
  return command ? { command, args: args?.trim() || undefined } : null;
}

const ownCommands = () => [...plugins.values()].flatMap(({ given }) => (given ?? []).filter(({ method }) => method === 'registerCommand').map(({ args }) => args[0]));
const serves = ({ channels }, provider) => !channels?.length || !provider || channels.some((one) => normalizeLowercaseStringOrEmpty(one) === normalizeLowercaseStringOrEmpty(provider));
const nativeName = ({ name, nativeNames }, provider) => [nativeNames?.[normalizeOptionalLowercaseString(provider)], nativeNames?.default].map(normalizeOptionalString).find(Boolean) ?? name;
/** Commands of the plugins in this worker, as a channel shows them. @param {string} [provider] @returns {{name: string, description: string, acceptsArgs: boolean, descriptionLocalizations?: object}[]} */
export const listProviderPluginCommandSpecs = (provider) =>
  ownCommands().filter((command) => serves(command, provider)).map((command) => ({
    name: nativeName(command, provider), description: command.description, acceptsArgs: command.acceptsArgs ?? false,
    ...(command.descriptionLocalizations ? { descriptionLocalizations: command.descriptionLocalizations } : {}),
  }));
/** The same, nothing for a channel that does not show commands natively. @param {string} [provider] @returns {object[]} */
export const getPluginCommandSpecs = (provider) => (provider && snapshot.channelCommandDefaults?.[normalizeOptionalLowercaseString(provider)]?.nativeCommandsAutoEnabled === false ? [] : listProviderPluginCommandSpecs(provider));
