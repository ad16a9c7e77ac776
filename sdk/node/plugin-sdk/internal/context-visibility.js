// Which quoted, forwarded and earlier messages the agent gets to see.

/** Whether an item is shown, and why. @param {{mode: string, kind: string, senderAllowed?: boolean}} params @returns {{include: boolean, reason: string}} */
export function evaluateSupplementalContextVisibility({ mode, kind, senderAllowed }) {
  if (mode === 'all') return { include: true, reason: 'mode_all' };
  if (senderAllowed) return { include: true, reason: 'sender_allowed' };
  if (mode === 'allowlist_quote' && kind === 'quote') return { include: true, reason: 'quote_override' };
  return { include: false, reason: 'blocked' };
}
/** @param {any} params @returns {boolean} */
export const shouldIncludeSupplementalContext = (params) => evaluateSupplementalContextVisibility(params).include;

/** The items that are shown, and how many are not. @param {{items: any[], mode: string, kind: string, isSenderAllowed: (item: any) => boolean}} params @returns {{items: any[], omitted: number}} */
export function filterSupplementalContextItems({ items, mode, kind, isSenderAllowed }) {
  const shown = items.filter((item) => shouldIncludeSupplementalContext({ mode, kind, senderAllowed: isSenderAllowed(item) }));
  return { items: shown, omitted: items.length - shown.length };
}

/** A message's quote, forward and thread, those that are not shown left out. @param {{supplemental?: any, contextVisibility?: string}} params @returns {any} */
export function filterChannelTurnSupplementalContext({ supplemental, contextVisibility }) {
  if (!supplemental) return undefined;
  const shown = (kind) => {
    const senderAllowed = supplemental[kind]?.senderAllowed;
    if (!contextVisibility || contextVisibility === 'all') return supplemental[kind];
    // Of somebody whom the channel did not judge nothing is shown.
    return senderAllowed !== undefined && shouldIncludeSupplementalContext({ mode: contextVisibility, kind, senderAllowed }) ? supplemental[kind] : undefined;
  };
  return { ...supplemental, quote: shown('quote'), forwarded: shown('forwarded'), thread: shown('thread') };
}
