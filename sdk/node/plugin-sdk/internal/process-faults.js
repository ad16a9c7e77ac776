// Failures that nobody caught, in this process.
import { resolveGlobalSingleton } from './singletons.js';

/** The worker asks these before it reports a failure. */
const handlers = resolveGlobalSingleton(Symbol.for('chela.faultHandlers'), () => ({ rejection: new Set(), exception: new Set() }));

const register = (kind) => (handler) => {
  handlers[kind].add(handler);
  return () => void handlers[kind].delete(handler);
};

/**
 * Asks a handler about each unhandled rejection; `true` means that it is dealt with.
 * @param {(reason: unknown) => boolean} handler
 * @returns {() => void} ends it
 */
export const registerUnhandledRejectionHandler = register('rejection');
/**
 * The same for uncaught exceptions.
 * @param {(error: unknown) => boolean} handler
 * @returns {() => void} ends it
 */
export const registerUncaughtExceptionHandler = register('exception');
