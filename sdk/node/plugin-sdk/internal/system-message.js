// Messages of the gateway itself in conversations.

/** What they begin with. */
export const SYSTEM_MARK = '⚙️';
/** @param {string} text @returns {boolean} */
export const hasSystemMark = (text) => text.trim().startsWith(SYSTEM_MARK);
/** A text with the mark, once. @param {string} text @returns {string} */
export function prefixSystemMessage(text) {
  const trimmed = text.trim();
  return trimmed && !hasSystemMark(trimmed) ? `${SYSTEM_MARK} ${trimmed}` : trimmed;
}
