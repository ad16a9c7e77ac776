// Variables and native addons. What was not granted is simply not there; that it was looked for is told.
import { missed, refuse, touched } from './report.js';

/** Different names that are told; a plugin that looks through all of them says nothing by it. */
const MAX_NAMES = 500;

/** Puts an observer before `process.env`. */
export function watchEnv(policy) {
  const seen = new Set();
  const tell = (name, value) => {
    if (typeof name !== 'string' || seen.has(name) || seen.size >= MAX_NAMES) return;
    if (value !== undefined && policy.mode !== 'observe') return;
    seen.add(name);
    if (value === undefined) missed(name);
    else touched('env', name);
  };
  let copied = false;
  process.env = new Proxy(process.env, {
    get(env, name) {
      const value = env[name];
      if (!copied) tell(name, value);
      return value;
    },
    ownKeys(env) {
      // Whoever copies all of them asks for none in particular; the reads that follow belong to the copy.
      copied = true;
      queueMicrotask(() => (copied = false));
      return Reflect.ownKeys(env);
    },
  });
}

/** Native addons: Node refuses them by itself (`--no-addons`); here the error says what to grant. */
export function watchAddons(policy) {
  const run = process.dlopen;
  if (policy.mode === 'observe') {
    process.dlopen = function (module, file, ...rest) {
      touched('nativeAddons', String(file));
      return run.call(this, module, file, ...rest);
    };
  } else if (!policy.nativeAddons) {
    process.dlopen = (_module, file) => {
      throw refuse('nativeAddons', String(file), { path: file });
    };
  }
}
