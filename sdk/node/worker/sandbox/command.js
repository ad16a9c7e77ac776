// `api.runtime.system.runCommandWithTimeout` of a confined plugin: the program runs inside its sandbox, not in the gateway.
import { spawn } from 'node:child_process';

/** Most output of one command that is kept, in bytes for each stream. */
const MAX_OUTPUT = 8 * 1024 * 1024;
const MAX_TIMEOUT_MS = 60 * 60 * 1000;
/** What a command gets of the environment; the rest is for the plugin to pass. */
const PASSED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ'];

/** Runs a command; rejects when it cannot be started. */
export function runCommand(argv, options) {
  const { timeoutMs, cwd, env, input } = options;
  if (!Array.isArray(argv) || typeof argv[0] !== 'string') throw new TypeError('`argv` needs a program');
  if (!Number.isFinite(timeoutMs)) throw new TypeError('`timeoutMs` is required');
  const passed = Object.fromEntries(PASSED.filter((name) => process.env[name] !== undefined).map((name) => [name, process.env[name]]));
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { cwd, env: { ...passed, ...env }, stdio: 'pipe' });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, Math.min(timeoutMs, MAX_TIMEOUT_MS));
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const termination = late ? 'timeout' : signal ? 'signal' : 'exit';
      resolve({ pid: child.pid, stdout: stdout(), stderr: stderr(), code, signal, killed: late, termination });
    });
    // A program that does not read its input is no error.
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

function collect(stream) {
  const chunks = [];
  let size = 0;
  stream.on('data', (chunk) => {
    if (size < MAX_OUTPUT) chunks.push(chunk.subarray(0, MAX_OUTPUT - size));
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
