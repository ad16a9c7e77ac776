// Questions of a setup wizard and the runtime of a command, answered by a test.
import { spy } from './spy.js';

/**
 * @param {{options: Array<{value: unknown}>}} params
 * @returns {Promise<unknown>}
 */
export async function selectFirstWizardOption({ options }) {
  if (!options[0]) throw new Error('no options');
  return options[0].value;
}

const later = (value) => spy(async () => value);

/**
 * A wizard that takes the first option, says no and leaves texts empty.
 * @param {object} [overrides]
 * @returns {object}
 */
export const createTestWizardPrompter = (overrides = {}) => ({
  intro: later(), outro: later(), note: later(), plain: later(), select: selectFirstWizardOption, multiselect: spy(async () => []), text: later(''), confirm: later(false),
  progress: spy(() => ({ update: spy(), stop: spy() })),
  ...overrides,
});

/**
 * A wizard that gives these answers one after the other.
 * @param {{selectValues?: string[], textValues?: string[], confirmValues?: boolean[]}} [params]
 * @returns {object} its spies, and the wizard as `prompter`
 */
export function createQueuedWizardPrompter({ selectValues = [], textValues = [], confirmValues = [] } = {}) {
  const queue = (values, rest) => {
    const left = [...values];
    return spy(async () => left.shift() ?? rest);
  };
  const { select: _select, ...parts } = createTestWizardPrompter({ text: queue(textValues, ''), confirm: queue(confirmValues, false) });
  const all = { ...parts, select: queue(selectValues, '') };
  return { ...all, prompter: createTestWizardPrompter(all) };
}

/**
 * A runtime that remembers what was written; an end is an error unless `throwOnExit` is false.
 * @param {{throwOnExit?: boolean}} [options]
 * @returns {object}
 */
export function createRuntimeEnv({ throwOnExit = true } = {}) {
  const exit = throwOnExit ? (code) => { throw new Error(`exit ${code}`); } : undefined;
  return { log: spy(), error: spy(), writeStdout: spy(), writeJson: spy(), exit: spy(exit) };
}

/**
 * @returns {object}
 */
export const createNonExitingRuntimeEnv = () => createRuntimeEnv({ throwOnExit: false });
/**
 * @param {{throwOnExit?: boolean}} [options]
 * @returns {object}
 */
export const createTypedRuntimeEnv = (options) => createRuntimeEnv(options);
/**
 * @returns {object}
 */
export const createNonExitingTypedRuntimeEnv = () => createNonExitingRuntimeEnv();

/**
 * What a command wrote, line by line.
 * @returns {{runtimeLogs: string[], runtimeErrors: string[], defaultRuntime: object, resetRuntimeCapture: () => void}}
 */
export function createCliRuntimeCapture() {
  const [runtimeLogs, runtimeErrors] = [[], []];
  const keep = (list) => (...args) => void list.push(args.map(String).join(' '));
  const log = keep(runtimeLogs);
  const defaultRuntime = {
    log: spy(log), error: spy(keep(runtimeErrors)), writeStdout: spy((text) => log(text.endsWith('\n') ? text.slice(0, -1) : text)),
    writeJson: spy((value, space = 2) => log(JSON.stringify(value, null, space > 0 ? space : undefined))),
    exit: spy((code) => { throw new Error(`__exit__:${code}`); }),
  };
  const resetRuntimeCapture = () => {
    runtimeLogs.length = 0;
    runtimeErrors.length = 0;
  };
  return { runtimeLogs, runtimeErrors, defaultRuntime, resetRuntimeCapture };
}

/** Puts a spy in the place of a member, which it can give back. */
function spyOn(object, name) {
  const kept = object[name];
  const put = spy();
  object[name] = Object.assign(put, { mockRestore: () => { object[name] = kept; } });
  return put;
}
/** What a command wrote as JSON first. @param {any} writeJson a spy @returns {any} */
export const firstWrittenJsonArg = (writeJson) => writeJson.mock.calls[0]?.[0] ?? null;
/** Spies in the place of a runtime's output. @param {any} runtime */
export const spyRuntimeLogs = (runtime) => spyOn(runtime, 'log');
/** @param {any} runtime */
export const spyRuntimeErrors = (runtime) => spyOn(runtime, 'error');
/** @param {any} runtime */
export const spyRuntimeJson = (runtime) => spyOn(runtime, 'writeJson');
