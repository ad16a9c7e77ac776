// Changes of transcripts, as the gateway tells them.
import { ownPlugin } from './own-plugin.js';

/** @param {(update: any) => void} listener @returns {() => void} takes the listener away */
export const onSessionTranscriptUpdate = (listener) => ownPlugin('api.runtime.events.onSessionTranscriptUpdate').api.runtime.events.onSessionTranscriptUpdate(listener);
