// Tasks that run one after another per key.

/** Runs tasks of one key in order; a failed task does not stop the next. */
export class KeyedAsyncQueue {
  #tails = new Map();

  enqueue(key, task, hooks) {
    hooks?.onEnqueue?.();
    const previous = this.#tails.get(key) ?? Promise.resolve();
    const current = previous.then(task).finally(() => hooks?.onSettle?.());
    const tail = current.then(() => {}, () => {});
    this.#tails.set(key, tail);
    void tail.then(() => this.#tails.get(key) === tail && this.#tails.delete(key));
    return current;
  }
}
