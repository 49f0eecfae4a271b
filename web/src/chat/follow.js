// Keeps the end of a growing text in view, for as long as the reader stays there.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

const NEAR = 48; // pixels from the end that still count as being there

export function useFollow() {
  const area = useRef(/** @type {HTMLElement | null} */ (null));
  const away = useSignal(false);
  const follow = useMemo(() => {
    let near = true;
    const atEnd = () => {
      const { current } = area;
      return !current || current.scrollHeight - current.scrollTop - current.clientHeight < NEAR;
    };
    const toEnd = () => {
      if (area.current) area.current.scrollTop = area.current.scrollHeight;
      away.value = false;
    };
    return {
      toEnd,
      before: () => {
        near = !away.value && atEnd();
      },
      after: () => {
        if (near) toEnd();
      },
      onScroll: () => {
        away.value = !atEnd();
      },
    };
  }, []);
  useEffect(() => {
    // A reader who scrolls up is let go at once, not when the next text has come.
    const leave = (/** @type {any} */ event) => {
      if (event.deltaY < 0 || event.key === "PageUp" || event.key === "ArrowUp" || event.key === "Home")
        away.value = true;
    };
    const { current } = area;
    // A notice or a longer message takes room from the transcript: its end stays in view.
    const resized = new ResizeObserver(() => away.value || follow.toEnd());
    if (current) resized.observe(current);
    current?.addEventListener("wheel", leave, { passive: true });
    current?.addEventListener("keydown", leave);
    return () => {
      resized.disconnect();
      current?.removeEventListener("wheel", leave);
      current?.removeEventListener("keydown", leave);
    };
  }, []);
  return { area, away, follow };
}
