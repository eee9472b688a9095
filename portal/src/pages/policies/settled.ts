import { useEffect, useState } from 'react';

/** While somebody types, the service is not asked; this long after, it is. */
const settleMs = 250;

/** A value, once it has stayed the same for a moment. */
export function useSettled<Value>(value: Value): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), settleMs);
    return () => window.clearTimeout(timer);
  }, [value]);
  return settled;
}
