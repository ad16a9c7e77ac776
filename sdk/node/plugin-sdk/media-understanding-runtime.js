export { describeImageFile, describeImageFileWithModel, describeVideoFile, extractStructuredWithModel, runMediaUnderstandingFile, transcribeAudioFile } from './internal/media/understand.js';
