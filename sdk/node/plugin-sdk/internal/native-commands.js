// Commands that channels show natively: their names, arguments and menus.
import { snapshot } from '../../worker/state.js';
import { normalizeOptionalLowercaseString } from './strings.js';

/** The commands of the gateway, as the worker's snapshot carries them. */
const commands = () => snapshot.chatCommands ?? [];

function positional(definitions, values) {
  const parts = [];
  for (const { name, captureRemaining } of definitions) {
    const value = values[name];
    const text = value == null ? '' : typeof value === 'string' ? value.trim() : String(value);
    if (!text) continue;
    parts.push(text);
    if (captureRemaining) break;
  }
  return parts.length > 0 ? parts.join(' ') : undefined;
}

/** Arguments as text. @param {object} command @param {{ raw?: string, values?: object }} [args] @returns {string | undefined} */
export function serializeCommandArgs(command, args) {
  const raw = args?.raw?.trim();
  if (raw || !args?.values || !command.args) return raw || undefined;
  return command.formatArgs ? command.formatArgs(args.values) : positional(command.args, args.values);
}

/** A command with its arguments as text. @param {object} command @param {object} [args] @returns {string} */
export function buildCommandTextFromArgs(command, args) {
  const text = serializeCommandArgs(command, args)?.trim();
  return `/${command.nativeName ?? command.key}${text ? ` ${text}` : ''}`;
}

/** Text as arguments. @param {object} command @param {string} [raw] @returns {{ raw: string, values?: object } | undefined} */
export function parseCommandArgs(command, raw) {
  const text = raw?.trim();
  if (!text) return undefined;
  if (!command.args || command.argsParsing === 'none') return { raw: text };
  const words = text.split(/\s+/);
  const values = {};
  for (const { name, captureRemaining } of command.args) {
    if (words.length === 0) break;
    values[name] = captureRemaining ? words.splice(0).join(' ') : words.shift();
  }
  return { raw: text, values };
}

/** The values that an argument may have. @param {{ command: object, arg: object, cfg?: object, provider?: string, model?: string, catalog?: object[] }} params @returns {{ value: string, label: string }[]} */
export function resolveCommandArgChoices({ command, arg, cfg, provider, model, catalog }) {
  const choices = typeof arg.choices === 'function' ? arg.choices({ cfg, provider, model, catalog, command, arg }) : arg.choices ?? [];
  return choices.map((choice) => (typeof choice === 'string' ? { value: choice, label: choice } : choice));
}

/** The menu for an argument that is not given, or `null`. @param {object} params */
export function resolveCommandArgMenu(params) {
  const { command, args } = params;
  if (!command.args || !command.argsMenu || command.argsParsing === 'none') return null;
  const choicesOf = (arg) => resolveCommandArgChoices({ ...params, arg });
  const name = command.argsMenu === 'auto' ? command.args.find((arg) => choicesOf(arg).length > 0)?.name : command.argsMenu.arg;
  const arg = command.args.find((entry) => name && entry.name === name);
  if (!arg || (args?.values && args.values[name] != null) || (args?.raw && !args.values)) return null;
  const choices = choicesOf(arg);
  return choices.length > 0 ? { arg, choices, title: command.argsMenu === 'auto' ? undefined : command.argsMenu.title } : null;
}

/** The title of such a menu. @param {{ command: object, menu: object }} params @returns {string} */
export function formatCommandArgMenuTitle({ command, menu }) {
  if (menu.title) return menu.title;
  const name = command.nativeName ?? command.key;
  if (typeof menu.arg.choices !== 'function') return `Choose ${menu.arg.description || menu.arg.name} for /${name}.`;
  const options = menu.choices.map((choice) => choice.label.trim()).filter(Boolean).join(', ');
  return `Choose ${menu.arg.name} for /${name}.${options && options.length <= 160 ? `\nOptions: ${options}.` : ''}`;
}

const skillCommand = (spec) => ({
  key: `skill:${spec.skillName}`, nativeName: spec.name, description: spec.description, textAliases: [`/${spec.name}`], acceptsArgs: true,
  argsParsing: 'none', scope: 'both', category: 'tools',
  ...(spec.descriptionLocalizations ? { descriptionLocalizations: spec.descriptionLocalizations } : {}),
});

/** All commands, with those of skills. @param {{ skillCommands?: object[] }} [params] @returns {object[]} */
export const listChatCommands = (params) => [...commands(), ...(params?.skillCommands ?? []).map(skillCommand)];

const namesOf = (command) => [command.nativeName, ...(command.nativeAliases ?? [])].filter(Boolean);

/** The commands that a channel shows natively. @param {{ skillCommands?: object[], provider?: string }} [params] @returns {object[]} */
export const listNativeCommandSpecs = (params) =>
  listChatCommands(params)
    .filter((command) => command.scope !== 'text' && command.nativeName)
    .flatMap((command) =>
      namesOf(command).map((name) => ({
        name, description: command.description, acceptsArgs: Boolean(command.acceptsArgs),
        ...(command.args ? { args: command.args } : {}),
        ...(command.descriptionLocalizations ? { descriptionLocalizations: command.descriptionLocalizations } : {}),
      })),
    );

/** The command with a native name. @param {string} name @returns {object | undefined} */
export function findCommandByNativeName(name) {
  const wanted = normalizeOptionalLowercaseString(name);
  if (!wanted) return undefined;
  return commands().find((command) => command.scope !== 'text' && namesOf(command).some((own) => own.toLowerCase() === wanted));
}

const chosen = ({ providerSetting, globalSetting }) => (providerSetting === undefined ? globalSetting : providerSetting);

/** Whether native commands are switched off by name. @param {{ providerSetting?: unknown, globalSetting?: unknown }} params @returns {boolean} */
export const isNativeCommandsExplicitlyDisabled = (params) => chosen(params) === false;

function enabled(params, key) {
  const setting = chosen(params);
  if (typeof setting === 'boolean') return setting;
  const id = normalizeOptionalLowercaseString(params.providerId);
  if (!id) return false;
  return typeof params.autoDefault === 'boolean' ? params.autoDefault : snapshot.channelCommandDefaults?.[id]?.[key] === true;
}

/** Whether a channel shows native commands. @param {object} params @returns {boolean} */
export const resolveNativeCommandsEnabled = (params) => enabled(params, 'nativeCommandsAutoEnabled');
/** Whether a channel shows skills as native commands. @param {object} params @returns {boolean} */
export const resolveNativeSkillsEnabled = (params) => enabled(params, 'nativeSkillsAutoEnabled');
