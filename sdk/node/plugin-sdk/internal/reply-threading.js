// Which message a reply answers.
import { normalizeOptionalString } from './strings.js';

/** Whether only one message of a reply carries the reference. @param {string} mode @returns {boolean} */
export const isSingleUseReplyToMode = (mode) => mode === 'first' || mode === 'batched';

/** Whether the message itself is answered, by whether it came in a batch; only for the mode `batched`. @param {string} mode @param {boolean} isBatched @returns {{implicitCurrentMessage: 'allow'|'deny'}|undefined} */
export const resolveBatchedReplyThreadingPolicy = (mode, isBatched) => (mode === 'batched' ? { implicitCurrentMessage: isBatched ? 'allow' : 'deny' } : undefined);

/** Hands out the reference of a reply's messages. @param {{replyToMode: string, existingId?: string, startId?: string, allowReference?: boolean, hasReplied?: boolean}} options */
export function createReplyReferencePlanner({ replyToMode, existingId, startId, allowReference, hasReplied = false }) {
  const id = normalizeOptionalString(existingId) ?? normalizeOptionalString(startId);
  let replied = hasReplied;
  const peek = () => {
    if (allowReference === false || replyToMode === 'off') return undefined;
    return replied && isSingleUseReplyToMode(replyToMode) ? undefined : id;
  };
  return {
    peek,
    use() {
      const reference = peek();
      if (reference) replied = true;
      return reference;
    },
    markSent() {
      replied = true;
    },
    hasReplied: () => replied,
  };
}

/** The reference of each message of a reply; one that was not asked for is used once where the mode says so. @param {{replyToId?: string|null, replyToMode?: string, replyToIdSource?: string}} params @returns {() => string|undefined} */
export function createReplyToFanout({ replyToId, replyToMode, replyToIdSource }) {
  const once = replyToIdSource !== 'explicit' && isSingleUseReplyToMode(replyToMode);
  let next = replyToId || undefined;
  return () => {
    const reference = next;
    if (once) next = undefined;
    return reference;
  };
}
