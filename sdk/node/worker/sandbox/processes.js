// Programs: everything that `child_process` starts goes through one method, its synchronous functions apart.
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { replace } from './files.js';
import { explain, refuse, touched } from './report.js';

/** A file that exists and is no program: the system's own refusal, with all that Node does about it. */
const NO_PROGRAM = '/dev/null';

/** Installs the hooks. */
export function watchProcesses(policy) {
  if (policy.mode === 'enforce' && policy.childProcesses === 'any') return;
  const allowed = policy.mode === 'observe' ? () => true : judge(policy.childProcesses);
  const note = (file) => policy.mode === 'observe' && touched('childProcesses', file);
  replace(childProcess.ChildProcess.prototype, 'spawn', (run) => function (options) {
    const file = String(options?.file ?? '');
    note(file);
    if (allowed(file)) return run.call(this, options);
    const emit = this.emit;
    this.emit = function (event, error, ...rest) {
      if (event === 'error' && error instanceof Error && !error.permission) {
        explain(error, 'childProcesses', file);
        error.code = 'EACCES';
      }
      return emit.call(this, event, error, ...rest);
    };
    return run.call(this, { ...options, file: NO_PROGRAM });
  });
  for (const name of ['spawnSync', 'execFileSync']) {
    replace(childProcess, name, (run) => function (file, ...rest) {
      return synchronous(run, this, name, programOf(file, rest), [file, ...rest]);
    });
  }
  replace(childProcess, 'execSync', (run) => function (command, options) {
    const shell = typeof options?.shell === 'string' ? options.shell : '/bin/sh';
    return synchronous(run, this, 'execSync', shell, [command, options]);
  });
  replace(process, 'execve', (run) => (file, ...rest) => {
    note(String(file));
    if (!allowed(String(file))) throw refuse('childProcesses', String(file), { syscall: 'execve', path: file });
    return run(file, ...rest);
  });

  function synchronous(run, self, name, file, args) {
    note(file);
    if (allowed(file)) return run.apply(self, args);
    const error = refuse('childProcesses', file, { syscall: `spawnSync ${file}`, path: file });
    if (name !== 'spawnSync') throw error;
    return { pid: 0, output: null, stdout: null, stderr: null, status: null, signal: null, error };
  }
}

function programOf(file, rest) {
  const options = rest.find((value) => value && typeof value === 'object' && !Array.isArray(value));
  if (!options?.shell) return String(file);
  return typeof options.shell === 'string' ? options.shell : '/bin/sh';
}

/** Programs are granted by name or by path; a path to the same file is the same program. */
function judge(granted) {
  if (!Array.isArray(granted)) return () => false;
  const real = (file) => {
    try {
      return fs.realpathSync.native(file);
    } catch {
      return file;
    }
  };
  const files = new Set(granted.flatMap((entry) => (entry.startsWith('/') ? [entry, real(entry)] : [entry])));
  const below = granted.filter((entry) => entry.startsWith('/')).map((entry) => `${entry}/`);
  return (file) => files.has(file) || (file.startsWith('/') && (files.has(real(file)) || below.some((root) => real(file).startsWith(root))));
}
