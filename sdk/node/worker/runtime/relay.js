// Streams of other plugins, read through the host piece by piece.
import { ask } from './group.js';

/** An async iterator over a stream that the host keeps under a number. */
export function relayed(plugin, id) {
  let open = true;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (!open) return { done: true, value: undefined };
      const { done, value } = await ask(plugin, 'host.relay.next', { id });
      if (done) open = false;
      return { done, value };
    },
    async return() {
      if (open) {
        open = false;
        await ask(plugin, 'host.relay.close', { id });
      }
      return { done: true, value: undefined };
    },
  };
}
