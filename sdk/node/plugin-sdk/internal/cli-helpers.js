// What commands of plugins print: examples, progress, and a manager that is closed again.
import { theme } from './terminal.js';

/** Examples of a command, one a line or two. @param {[string, string][]} examples @param {boolean} [inline] @returns {string} */
export const formatHelpExamples = (examples, inline = false) => examples.map(([command, description]) => (inline ? `  ${theme.command(command)} ${theme.muted(`# ${description}`)}` : `  ${theme.command(command)}\n    ${theme.muted(description)}`)).join('\n');

/** Runs something with a manager and closes it whatever happens. @param {any} params `getManager`, `onMissing`, `run`, `close`, `onCloseError` @returns {Promise<void>} */
export async function withManager({ getManager, onMissing, run, close, onCloseError }) {
  const { manager, error } = await getManager();
  if (!manager) return void onMissing(error);
  try {
    await run(manager);
  } finally {
    await Promise.resolve().then(() => close(manager)).catch((failure) => onCloseError?.(failure));
  }
}

/** A line on a terminal that tells how far something is; nothing elsewhere. */
function progressLine({ label = '', enabled = true, stream = process.stderr } = {}) {
  const on = enabled && stream.isTTY === true;
  const state = { label, percent: 0, done: false };
  const show = () => void (on && !state.done && stream.write(`\r\u001b[2K${state.label} ${Math.round(state.percent)}%`));
  show();
  return {
    setLabel(next) {
      state.label = next;
      show();
    },
    setPercent(next) {
      state.percent = Math.min(100, Math.max(0, next));
      show();
    },
    tick(by = 1) {
      state.percent = Math.min(100, state.percent + by);
      show();
    },
    done() {
      if (on && !state.done) stream.write('\r\u001b[2K');
      state.done = true;
    },
  };
}
/** @template T @param {{label: string, enabled?: boolean, stream?: NodeJS.WriteStream}} options @param {(progress: ReturnType<typeof progressLine>) => Promise<T>} work @returns {Promise<T>} */
export async function withProgress(options, work) {
  const progress = progressLine(options);
  try {
    return await work(progress);
  } finally {
    progress.done();
  }
}
/** The same with what is done of a whole. @template T @param {any} options @param {(update: (state: {completed: number, total: number, label?: string}) => void, progress: any) => Promise<T>} work @returns {Promise<T>} */
export const withProgressTotals = (options, work) =>
  withProgress(options, (progress) => {
    const update = ({ completed, total, label }) => {
      if (label) progress.setLabel(label);
      if (Number.isFinite(total) && total > 0) progress.setPercent((completed / total) * 100);
    };
    return work(update, progress);
  });
