// Prompts around texts from outside, and what in such texts looks like instructions.
import { wrapExternalContent } from './web/untrusted.js';

/**
 * A prompt around a text from outside.
 * @param {{content: string, source: string, sender?: string, subject?: string, jobName?: string, jobId?: string, timestamp?: string}} params
 * @returns {string}
 */
export function buildSafeExternalPrompt({ jobName, jobId, timestamp, content, ...options }) {
  const head = [jobName && `Task: ${jobName}`, jobId && `Job ID: ${jobId}`, timestamp && `Received: ${timestamp}`].filter(Boolean).join(' | ');
  return `${head ? `${head}\n\n` : ''}${wrapExternalContent(content, options)}`;
}

const SUSPICIOUS = [
  /(?:ignore|disregard|forget)\s+(?:all\s+|everything\s+|your\s+)*(?:previous|prior|above|earlier|instructions|rules|guidelines)/i,
  /you\s+are\s+now\s+(?:an?|the)\s/i, /new\s+instructions?\s*:/i, /system\s*:?\s*(?:prompt|override|command)/i, /\brm\s+-rf\b/i, /\bexec\b.*\bcommand\s*=/i, /elevated\s*=\s*true/i,
  /delete\s+all\s+(?:emails?|files?|data)/i, /<\/?system>/i, /\]\s*\n\s*\[?(?:system|assistant|user)\]?:/i,
];

/**
 * Patterns of attempts to give instructions.
 * @param {string} content
 * @returns {string[]} their sources
 */
export const detectSuspiciousPatterns = (content) => SUSPICIOUS.filter((pattern) => pattern.test(content)).map(({ source }) => source);
