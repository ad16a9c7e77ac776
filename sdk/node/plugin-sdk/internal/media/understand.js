// What the gateway reads from media files with the providers of plugins.
import { ownRuntime } from '../own-plugin.js';

const call = (name) => async (params) => ownRuntime('mediaUnderstanding')[name](params);
/** Describes or transcribes a file. @type {(params: object) => Promise<any>} */
export const runMediaUnderstandingFile = call('runFile');
/** @type {(params: object) => Promise<any>} */
export const describeImageFile = call('describeImageFile');
/** @type {(params: object) => Promise<any>} */
export const describeImageFileWithModel = call('describeImageFileWithModel');
/** @type {(params: object) => Promise<any>} */
export const describeVideoFile = call('describeVideoFile');
/** @type {(params: object) => Promise<any>} */
export const extractStructuredWithModel = call('extractStructuredWithModel');
/** @type {(params: object) => Promise<any>} */
export const transcribeAudioFile = call('transcribeAudioFile');
