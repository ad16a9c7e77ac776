// What a command line asks for, before it is parsed, and command groups that are registered when they are used.
import { normalizeOptionalString } from './strings.js';
import { isTruthyEnvValue } from './log-settings.js';

const HELP = new Set(['-h', '--help']);
const VERSION_FLAGS = new Set(['-V', '--version']);
const PLAIN = new Set(['--dev', '--no-color']);
const VALUED = ['--profile', '--log-level', '--container'];
const isValue = (word) => Boolean(word) && word !== '--' && (!word.startsWith('-') || /^-\d+(?:\.\d+)?$/.test(word));

/** Words that an option of the program itself takes from `at` on. */
function rootOption(words, at) {
  const word = words[at];
  if (PLAIN.has(word) || VALUED.some((name) => word.startsWith(`${name}=`))) return 1;
  return VALUED.includes(word) ? (isValue(words[at + 1]) ? 2 : 1) : 0;
}

/** The words that are not options of the program, up to `--`. */
function ownWords(argv) {
  const words = argv.slice(2);
  const kept = [];
  for (let at = 0; at < words.length && words[at] !== '--'; ) {
    const taken = words[at] ? rootOption(words, at) : 1;
    if (taken === 0) kept.push(words[at]);
    at += taken || 1;
  }
  return kept;
}

/** `-v` means the version only where it stands before any command. */
function asksVersionFirst(argv) {
  const words = ownWords(argv);
  const first = words.findIndex((word) => !word.startsWith('-'));
  return words.slice(0, first < 0 ? words.length : first).includes('-v');
}

function asksHelp(argv) {
  if (asksVersionFirst(argv)) return true;
  const words = ownWords(argv);
  const positionals = [];
  for (const [at, word] of words.entries()) {
    if (HELP.has(word) || VERSION_FLAGS.has(word)) return true;
    if (word.startsWith('-')) continue;
    positionals.push(word);
    if (word === 'help') return !words.slice(0, at).some((one) => one.startsWith('-')) && positionals.length <= 2;
  }
  return false;
}

/**
 * @param {string[]} argv as `process.argv`
 * @returns {{argv: string[], commandPath: string[], primary: string | null, hasHelpOrVersion: boolean, isRootHelpInvocation: boolean}}
 */
export function resolveCliArgvInvocation(argv) {
  const words = ownWords(argv);
  const path = words.filter((word) => !word.startsWith('-'));
  return { argv, commandPath: path.slice(0, 2), primary: path[0] ?? null, hasHelpOrVersion: asksHelp(argv), isRootHelpInvocation: words.length > 0 && words.every((word) => HELP.has(word)) };
}

/** How far up an option is looked for. */
const LEVELS = 2;
const sourceOf = (command, name) => (typeof command.getOptionValueSource === 'function' ? command.getOptionValueSource(name) : undefined);
const isSet = (command, name) => ![undefined, null, '', 'default'].includes(sourceOf(command, name));

/** An option of a command above, where the command itself was not given it. @param {any} command @param {string} name @returns {any} */
export function inheritOptionFromParent(command, name) {
  if (!command || isSet(command, name)) return undefined;
  let above = command.parent;
  for (let level = 0; above && level < LEVELS; level++, above = above.parent) if (isSet(above, name)) return above.opts()[name];
  return undefined;
}

/** @param {{error: (text: string) => void, exit: (code: number) => void}} runtime @param {() => Promise<void>} action @param {(error: unknown) => void} [onError] */
export async function runCommandWithRuntime(runtime, action, onError) {
  try {
    await action();
  } catch (error) {
    if (onError) return void onError(error);
    runtime.error(String(error));
    runtime.exit(1);
  }
}

/** Whether all commands are registered at once. @param {NodeJS.ProcessEnv} [env] @returns {boolean} */
export const shouldEagerRegisterSubcommands = (env = process.env) => isTruthyEnvValue(normalizeOptionalString(env.OPENCLAW_DISABLE_LAZY_SUBCOMMANDS));

const namesOf = (entry) => entry.names ?? entry.placeholders.map(({ name }) => name);
function remove(program, name) {
  const at = program.commands.findIndex((command) => command.name() === name || command.aliases?.().includes(name));
  if (at >= 0) program.commands.splice(at, 1);
}

/** A command that stands for its group, and is replaced by it when it is called. */
function stand(program, entry, { name, description, options = [] }) {
  const command = program.command(name).description(description);
  for (const { flags, description: about } of options) command.option(flags, about);
  command.allowUnknownOption(true).allowExcessArguments(true).action(async () => {
    let root = program;
    while (root.parent) root = root.parent;
    for (const one of new Set(namesOf(entry))) remove(program, one);
    await entry.register(program);
    await root.parseAsync(root.rawArgs ?? process.argv);
  });
}

/**
 * Registers command groups: all at once, or a placeholder for each.
 * @param {any} program @param {{placeholders: {name: string, description: string, options?: any[]}[], names?: string[], register: (program: any) => any}[]} entries
 * @param {{eager: boolean, primary?: string | null, registerPrimaryOnly?: boolean}} params
 */
export function registerCommandGroups(program, entries, { eager, primary, registerPrimaryOnly }) {
  if (eager) return entries.forEach((entry) => void entry.register(program));
  if (primary && registerPrimaryOnly) {
    const entry = entries.find((one) => namesOf(one).includes(primary));
    const placeholder = entry?.placeholders.find(({ name }) => name === primary);
    if (entry) return void (placeholder && stand(program, entry, placeholder));
  }
  for (const entry of entries) for (const placeholder of entry.placeholders) stand(program, entry, placeholder);
}

/** Never ends. @returns {Promise<never>} */
export function waitForever() {
  setInterval(() => {}, 1_000_000).unref();
  return new Promise(() => {});
}
