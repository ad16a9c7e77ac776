// Files: `fs` in its three forms. The kernel decides where it can; here its errors are explained, and reads and writes recorded.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { explain, refuse, touched } from './report.js';

const realpath = fs.realpathSync.native;

const reads = (...at) => (args) => at.map((index) => ['files.read', args[index]]);
const writes = (...at) => (args) => at.map((index) => ['files.write', args[index]]);
const copies = (args) => [['files.read', args[0]], ['files.write', args[1]]];

/** What each function does to which of its arguments. `stat` and its like are not held by the kernel and are left out. */
const FUNCTIONS = {
  open: (args) => [[wantsWrite(args[1]) ? 'files.write' : 'files.read', args[0]]],
  readFile: reads(0),
  readdir: reads(0),
  opendir: reads(0),
  watch: reads(0),
  copyFile: copies,
  cp: copies,
  writeFile: writes(0),
  appendFile: writes(0),
  mkdir: writes(0),
  mkdtemp: writes(0),
  rm: writes(0),
  rmdir: writes(0),
  unlink: writes(0),
  truncate: writes(0),
  rename: writes(0, 1),
  link: writes(0, 1),
  symlink: writes(1),
};

/** Functions whose promise form is no promise. */
const NOT_PROMISED = new Set(['watch']);

function wantsWrite(flags) {
  if (typeof flags === 'number') return (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT)) !== 0;
  return typeof flags === 'string' && /[wa+]/.test(flags);
}

/** Installs the hooks. */
export function watchFiles(policy) {
  const judge = policy.mode === 'observe' ? observer(policy) : warden(policy);
  for (const [name, uses] of Object.entries(FUNCTIONS)) {
    if (fs[`${name}Sync`]) replace(fs, `${name}Sync`, (run) => synchronous(run, uses, judge));
    replace(fs, name, (run) => withCallback(run, uses, judge));
    if (!NOT_PROMISED.has(name)) replace(fs.promises, name, (run) => promised(run, uses, judge));
  }
}

/** Puts a function in the place of another, with everything that hangs on that one. */
export function replace(owner, name, make) {
  const original = owner[name];
  if (typeof original !== 'function') return;
  const wrapped = make(original);
  Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(original));
  owner[name] = wrapped;
}

/** An absolute path, or nothing for descriptors and wrong arguments. */
function pathOf(value) {
  try {
    if (value instanceof URL) return fileURLToPath(value);
    if (typeof value === 'string') return path.resolve(value);
    if (Buffer.isBuffer(value)) return path.resolve(value.toString());
  } catch {
    // The function itself says what is wrong with it.
  }
  return undefined;
}

function covers(roots, file) {
  return roots.some((root) => file === root || root === '/' || (file.startsWith(root) && file[root.length] === '/'));
}

/** Where a path leads, as far as it exists. */
function leadsTo(file) {
  for (let at = file; ; at = path.dirname(at)) {
    try {
      return path.join(realpath(at), file.slice(at.length));
    } catch {
      if (at === path.dirname(at)) return file;
    }
  }
}

function observer(policy) {
  const own = policy.own ?? [];
  const note = (permission, value) => {
    const file = pathOf(value);
    if (file && !covers(own, file)) touched(permission, file);
  };
  return { before: (rows) => rows.forEach(([permission, value]) => note(permission, value)), after: (error) => error };
}

function warden(policy) {
  const { read, write, held } = policy.files;
  const real = (roots) => [...new Set([...roots, ...roots.map(leadsTo)])];
  const roots = { 'files.read': real([...read, ...write, '/proc/self']), 'files.write': real(write) };
  const outside = ([permission, value]) => {
    const file = pathOf(value);
    return file !== undefined && !covers(roots[permission], leadsTo(file)) ? [permission, file] : undefined;
  };
  const first = (rows) => {
    for (const row of rows) {
      const found = outside(row);
      if (found) return found;
    }
    return undefined;
  };
  return {
    before(rows) {
      if (held) return;
      const found = first(rows);
      if (found) throw refuse(...found, { syscall: 'open', path: found[1] });
    },
    after(error, rows) {
      if (error?.code !== 'EACCES' || error.permission) return error;
      const found = first(rows);
      return found ? explain(error, ...found) : error;
    },
  };
}

function synchronous(run, uses, judge) {
  return function (...args) {
    const rows = uses(args);
    judge.before(rows);
    try {
      return run.apply(this, args);
    } catch (error) {
      throw judge.after(error, rows);
    }
  };
}

function withCallback(run, uses, judge) {
  return function (...args) {
    const rows = uses(args);
    const done = args.at(-1);
    if (typeof done !== 'function') return run.apply(this, args);
    try {
      judge.before(rows);
    } catch (error) {
      return void process.nextTick(done, error);
    }
    args[args.length - 1] = function (error, ...rest) {
      return done.call(this, error ? judge.after(error, rows) : error, ...rest);
    };
    return run.apply(this, args);
  };
}

function promised(run, uses, judge) {
  return async function (...args) {
    const rows = uses(args);
    judge.before(rows);
    try {
      return await run.apply(this, args);
    } catch (error) {
      throw judge.after(error, rows);
    }
  };
}
