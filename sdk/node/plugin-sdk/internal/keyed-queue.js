// Tasks that run one after another per key.

/**
 * Runs a task after the others of its key; a failed task does not stop the next.
 * @template T
 * @param {{tails: Map<string, Promise<void>>, key: string, task: () => Promise<T>, hooks?: {onEnqueue?: () => void, onSettle?: () => void}}} params
 * @returns {Promise<T>}
 */
export function enqueueKeyedTask({ tails, key, task, hooks }) {
  hooks?.onEnqueue?.();
  const current = (tails.get(key) ?? Promise.resolve()).catch(() => {}).then(task).finally(() => hooks?.onSettle?.());
  const tail = current.then(() => {}, () => {});
  tails.set(key, tail);
  void tail.then(() => tails.get(key) === tail && tails.delete(key));
  return current;
}

/** Runs tasks of one key in order; a failed task does not stop the next. */
export class KeyedAsyncQueue {
  #tails = new Map();

  /**
   * @template T
   * @param {string} key
   * @param {() => Promise<T>} task
   * @param {{onEnqueue?: () => void, onSettle?: () => void}} [hooks]
   * @returns {Promise<T>}
   */
  enqueue(key, task, hooks) {
    return enqueueKeyedTask({ tails: this.#tails, key, task, hooks });
  }

  /** @returns {Map<string, Promise<void>>} the last task of each key, for tests */
  getTailMapForTesting() {
    return this.#tails;
  }
}
