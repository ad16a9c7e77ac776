// Child processes with limits.
import path from 'node:path';
import { formatErrorMessage } from './error-text.js';

/**
 * The environment of a child: ours, with changes; npm keeps quiet about funding.
 * @param {{argv: string[], env?: NodeJS.ProcessEnv, baseEnv?: NodeJS.ProcessEnv}} params
 * @returns {NodeJS.ProcessEnv}
 */
export function resolveCommandEnv({ argv, env, baseEnv = process.env }) {
  const merged = Object.fromEntries(Object.entries({ ...baseEnv, ...env }).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]));
  const program = path.basename(argv[0] ?? '').replace(/\.(?:cmd|exe)$/, '');
  if (program === 'npm' || (program === 'node' && argv[1]?.includes('npm-cli.js'))) {
    for (const name of ['NPM_CONFIG_FUND', 'npm_config_fund']) merged[name] ??= 'false';
  }
  merged.OPENCLAW_CLI = '1';
  return merged;
}

/**
 * The exit code of a child; on Windows a shim may lose it.
 * @param {object} params
 * @returns {number | null}
 */
export function resolveProcessExitCode(params) {
  const known = params.explicitCode ?? params.childExitCode;
  if (known !== undefined && known !== null) return known;
  const ended = params.resolvedSignal !== null && params.resolvedSignal !== undefined;
  return params.usesWindowsExitCodeShim && !ended && !params.timedOut && !params.noOutputTimedOut && !params.killIssuedByTimeout ? 0 : null;
}

/**
 * Whether a command needs a shell: never, since a shell reads what arguments say.
 * @returns {false}
 */
export const shouldSpawnWithShell = () => false;

/**
 * Runs a command and waits for it, for so long.
 * @param {string[]} argv
 * @param {number | {timeoutMs: number, cwd?: string, input?: string, env?: NodeJS.ProcessEnv, noOutputTimeoutMs?: number}} optionsOrTimeout
 * @returns {Promise<{pid?: number, stdout: string, stderr: string, code: number | null, signal: string | null, killed: boolean, termination: 'exit' | 'signal' | 'timeout' | 'no-output-timeout', noOutputTimedOut: boolean}>}
 */
export async function runCommandWithTimeout(argv, optionsOrTimeout) {
  const { timeoutMs, cwd, input, env, noOutputTimeoutMs } = typeof optionsOrTimeout === 'number' ? { timeoutMs: optionsOrTimeout } : optionsOrTimeout;
  const { spawn } = await import('node:child_process');
  const child = spawn(argv[0], argv.slice(1), { cwd, env: resolveCommandEnv({ argv, env }), stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'], windowsHide: true });
  const late = { all: false, silent: false };
  const kill = (reason) => {
    late[reason] = true;
    child.kill('SIGKILL');
  };
  const timers = { all: setTimeout(() => kill('all'), timeoutMs) };
  const heard = () => {
    clearTimeout(timers.silent);
    if (noOutputTimeoutMs > 0) timers.silent = setTimeout(() => kill('silent'), Math.floor(noOutputTimeoutMs));
  };
  heard();
  const output = { stdout: [], stderr: [] };
  for (const name of ['stdout', 'stderr']) {
    child[name].on('data', (chunk) => {
      output[name].push(chunk);
      heard();
    });
  }
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  try {
    const { code, signal } = await ended(child);
    const termination = late.silent ? 'no-output-timeout' : late.all ? 'timeout' : signal ? 'signal' : 'exit';
    const [stdout, stderr] = [output.stdout, output.stderr].map((chunks) => Buffer.concat(chunks).toString('utf8'));
    return { pid: child.pid, stdout, stderr, code: termination.endsWith('timeout') && code === 0 ? 124 : code, signal, killed: child.killed, termination, noOutputTimedOut: late.silent };
  } finally {
    for (const timer of Object.values(timers)) clearTimeout(timer);
  }
}

/** The end of a child. A grandchild that keeps its pipes open does not keep us. */
function ended(child) {
  return new Promise((resolve, reject) => {
    let exit;
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      exit = { code, signal };
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, 250).unref();
    });
    child.on('close', (code, signal) => resolve(exit ?? { code, signal }));
  });
}

/**
 * Runs a program and gives its output; a failure is an error with both outputs.
 * @param {string} command
 * @param {string[]} args
 * @param {number | {timeoutMs?: number, maxBuffer?: number, cwd?: string}} [options] or a time limit in milliseconds
 * @returns {Promise<{stdout: string, stderr: string}>}
 */
export async function runExec(command, args, options = 10_000) {
  const { timeoutMs, maxBuffer, cwd } = typeof options === 'number' ? { timeoutMs: options } : options;
  const { execFile } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: timeoutMs, maxBuffer, cwd, windowsHide: true }, (error, stdout, stderr) => {
      if (error) reject(Object.assign(error, { stdout, stderr }));
      else resolve({ stdout, stderr });
    });
  });
}

/**
 * Runs a command for a plugin; it never throws.
 * @param {{argv: string[], timeoutMs: number, cwd?: string, env?: NodeJS.ProcessEnv}} options
 * @returns {Promise<{code: number, stdout: string, stderr: string}>}
 */
export async function runPluginCommandWithTimeout({ argv, timeoutMs, cwd, env }) {
  if (!argv[0]) return { code: 1, stdout: '', stderr: 'command is required' };
  try {
    const { code, stdout, stderr, termination } = await runCommandWithTimeout(argv, { timeoutMs, cwd, env });
    const late = termination.endsWith('timeout') ? `command timed out after ${timeoutMs}ms` : '';
    return { code: code ?? 1, stdout, stderr: stderr || late };
  } catch (error) {
    return { code: 1, stdout: '', stderr: formatErrorMessage(error) };
  }
}

const OOM_SCRIPT = '{ printf 1000 >/proc/$$/oom_score_adj; } 2>/dev/null || :; exec "$0" "$@"';
/** Variables that make a shell run something before the command. */
const SHELL_START = ['BASH_ENV', 'ENV', 'CDPATH'];

/**
 * A command that the kernel kills before the gateway when memory is short (Linux).
 * @param {string} command
 * @param {readonly string[]} [args]
 * @param {{platform?: NodeJS.Platform, env?: NodeJS.ProcessEnv, shellAvailable?: () => boolean}} [options]
 * @returns {{command: string, args: string[], env: NodeJS.ProcessEnv | undefined, wrapped: boolean}}
 */
export function prepareOomScoreAdjustedSpawn(command, args = [], { platform = process.platform, env, shellAvailable = () => true } = {}) {
  const off = ['0', 'false', 'no', 'off'].includes((env ?? process.env).OPENCLAW_CHILD_OOM_SCORE_ADJ?.trim().toLowerCase());
  const plain = { command, args: [...args], env, wrapped: false };
  if (platform !== 'linux' || off || !command || command.startsWith('-') || !shellAvailable()) return plain;
  const safe = Object.fromEntries(Object.entries(env ?? process.env).filter(([name]) => !SHELL_START.includes(name)));
  if (command === '/bin/sh' && args[0] === '-c' && args[1] === OOM_SCRIPT) return { command, args: [...args], env: safe, wrapped: true };
  return { command: '/bin/sh', args: ['-c', OOM_SCRIPT, command, ...args], env: safe, wrapped: true };
}
