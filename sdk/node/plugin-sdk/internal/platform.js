// What kind of machine this is.
import { readFileSync } from 'node:fs';

let wsl;
const kernel = () => {
  try {
    return readFileSync('/proc/version', 'utf8').toLowerCase();
  } catch {
    return '';
  }
};

/**
 * @returns {boolean} whether this is Linux within Windows
 */
export const isWSLSync = () => (wsl ??= process.platform === 'linux' && Boolean(process.env.WSL_INTEROP || process.env.WSL_DISTRO_NAME || process.env.WSLENV || kernel().includes('microsoft')));

/**
 * @returns {boolean} the same in its second version
 */
export const isWSL2Sync = () => isWSLSync() && ['wsl2', 'microsoft-standard'].some((word) => kernel().includes(word));
