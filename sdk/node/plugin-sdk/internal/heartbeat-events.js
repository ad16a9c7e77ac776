// Events of heartbeats that plugins of this worker tell each other; the gateway's own are in its log.

let last = null;
const listeners = new Set();

/** Tells of a heartbeat. @param {object} event */
export function emitHeartbeatEvent(event) {
  last = { ts: Date.now(), ...event };
  for (const listener of [...listeners]) {
    try {
      listener(last);
    } catch {
      // One listener must not silence the others.
    }
  }
}
/** The last one told in this worker. @returns {object | null} */
export const getLastHeartbeatEvent = () => last;
/** @param {(event: any) => void} listener @returns {() => boolean} takes the listener away */
export function onHeartbeatEvent(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
/** Forgets listeners and the last event. */
export function resetHeartbeatEventsForTest() {
  last = null;
  listeners.clear();
}
