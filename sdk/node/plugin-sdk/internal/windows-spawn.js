// How a command is started on Windows without a shell: shims of npm are replaced by what they run.
import fs from 'node:fs';
import path from 'node:path';

const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
const extensionOf = (file) => path.extname(file).toLowerCase();

/**
 * The file that a command name means in a search path of Windows.
 * @param {string} command
 * @param {NodeJS.ProcessEnv} env
 * @returns {string} the command itself when there is none
 */
export function resolveWindowsExecutablePath(command, env) {
  if (/[\\/]/.test(command) || path.isAbsolute(command)) return command;
  const read = (...names) => names.map((name) => env[name] ?? process.env[name]).find((value) => value !== undefined);
  const split = (text) => text.split(';').map((part) => part.trim()).filter(Boolean);
  const extensions = path.extname(command) ? [''] : split(read('PATHEXT', 'Pathext') ?? '.EXE;.CMD;.BAT;.COM').map((ext) => (ext.startsWith('.') ? ext : `.${ext}`));
  for (const directory of split(read('PATH', 'Path') ?? '')) {
    for (const extension of extensions) {
      const found = [extension, extension.toLowerCase(), extension.toUpperCase()].map((one) => path.join(directory, command + one)).find(isFile);
      if (found) return found;
    }
  }
  return command;
}

/** The program in the last line of a shim (`"%dp0%\node_modules\x\cli.js" %*`). */
function targetOfShim(shim) {
  let text;
  try {
    text = fs.readFileSync(shim, 'utf8');
  } catch {
    return undefined;
  }
  const found = [...text.matchAll(/"%(?:~dp0|dp0%)[\\/]*([^"]*?)"/gi)].map(([, relative]) => path.resolve(path.dirname(shim), relative.replace(/\\/g, '/')));
  const programs = found.filter((file) => path.basename(file).toLowerCase() !== 'node.exe' && isFile(file));
  return programs.at(-1);
}

/** The program that the package behind a shim declares. */
function targetOfPackage(shim, packageName) {
  if (!packageName) return undefined;
  const name = path.basename(shim, path.extname(shim));
  for (const base of ['node_modules', '../node_modules', '..']) {
    const directory = path.resolve(path.dirname(shim), base, packageName);
    try {
      const { bin } = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
      const relative = typeof bin === 'string' ? bin : (bin?.[name] ?? Object.values(bin ?? {})[0]);
      const file = relative && path.resolve(directory, relative);
      if (file && isFile(file)) return file;
    } catch {
      // The next place.
    }
  }
  return undefined;
}

/**
 * What a command stands for.
 * @param {{command: string, platform?: NodeJS.Platform, env?: NodeJS.ProcessEnv, execPath?: string, packageName?: string}} params
 * @returns {{command: string, leadingArgv: string[], resolution: string, windowsHide?: boolean}}
 */
export function resolveWindowsSpawnProgramCandidate({ command, platform = process.platform, env = process.env, execPath = process.execPath, packageName }) {
  if (platform !== 'win32') return { command, leadingArgv: [], resolution: 'direct' };
  const file = resolveWindowsExecutablePath(command, env);
  const byNode = (script) => ({ command: execPath, leadingArgv: [script], resolution: 'node-entrypoint', windowsHide: true });
  if (['.js', '.cjs', '.mjs'].includes(extensionOf(file))) return byNode(file);
  if (!['.cmd', '.bat'].includes(extensionOf(file))) return { command: file, leadingArgv: [], resolution: 'direct' };
  const target = targetOfShim(file) ?? targetOfPackage(file, packageName);
  if (!target) return { command: file, leadingArgv: [], resolution: 'unresolved-wrapper' };
  return extensionOf(target) === '.exe' ? { command: target, leadingArgv: [], resolution: 'exe-entrypoint', windowsHide: true } : byNode(target);
}

/**
 * Refuses a shim whose program was not found, unless a shell may be used.
 * @param {{candidate: object, allowShellFallback?: boolean}} params
 * @returns {{command: string, leadingArgv: string[], resolution: string, shell?: boolean, windowsHide?: boolean}}
 */
export function applyWindowsSpawnProgramPolicy({ candidate, allowShellFallback }) {
  const { command, leadingArgv, resolution, windowsHide } = candidate;
  if (resolution !== 'unresolved-wrapper') return { command, leadingArgv, resolution, windowsHide };
  if (allowShellFallback === true) return { command, leadingArgv: [], resolution: 'shell-fallback', shell: true };
  throw new Error(`${path.basename(command)} wrapper resolved, but no executable/Node entrypoint could be resolved without shell execution.`);
}

/**
 * What is started for a command.
 * @param {object} params of `resolveWindowsSpawnProgramCandidate`, and `allowShellFallback`
 * @returns {object}
 */
export const resolveWindowsSpawnProgram = (params) =>
  applyWindowsSpawnProgramPolicy({ candidate: resolveWindowsSpawnProgramCandidate(params), allowShellFallback: params.allowShellFallback });

/**
 * The command line for arguments.
 * @param {object} program
 * @param {string[]} argv
 * @returns {{command: string, argv: string[], resolution: string, shell?: boolean, windowsHide?: boolean}}
 */
export const materializeWindowsSpawnProgram = ({ command, leadingArgv, resolution, shell, windowsHide }, argv) => ({ command, argv: [...leadingArgv, ...argv], resolution, shell, windowsHide });

const TAKES_ARGUMENTS = new Set(['node', 'npm', 'npx', 'pnpm', 'yarn'].flatMap((name) => [name, `${name}.exe`, ...(name === 'node' ? [] : [`${name}.cmd`])]));
/**
 * A command that has its arguments in it (`node script.js`), which Windows would look for as one file.
 * @param {string} command
 * @returns {{executable: string, arguments: string} | null}
 */
export function detectWindowsSpawnCommandInlineArgs(command) {
  const text = command.trim();
  const [, quoted, bare, rest] = /^(?:"([^"]+)"|([^\s"]\S*)(?=\s))(.*)$/.exec(text) ?? [];
  const executable = quoted ?? bare;
  if (!executable || !rest?.trim() || !TAKES_ARGUMENTS.has(executable.replace(/\\/g, '/').split('/').at(-1).toLowerCase())) return null;
  return { executable, arguments: rest.trim() };
}
