// Many small items as one stop of the Tab key: the arrows move among them.
import { useSignal } from "@preact/signals";

/** @param {number} count */
export function useRoving(count) {
  const at = useSignal(0);
  const now = Math.min(at.value, Math.max(0, count - 1));
  const onKeyDown = (/** @type {any} */ event) => {
    const step = /** @type {Record<string, number>} */ ({
      ArrowLeft: -1,
      ArrowUp: -1,
      ArrowRight: 1,
      ArrowDown: 1,
      Home: -count,
      End: count,
    })[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = Math.min(count - 1, Math.max(0, now + step));
    at.value = next;
    event.currentTarget.querySelectorAll("[data-item]")[next]?.focus();
    event.preventDefault();
  };
  /** Attributes of an item. @param {number} index */
  const item = (index) => ({ "data-item": true, tabIndex: index === now ? 0 : -1, onFocus: () => (at.value = index) });
  return { onKeyDown, item, at: now };
}
