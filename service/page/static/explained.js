// The displayed explanation. It is requested when file, method, class or member change.

import { useEffect, useState } from "./vendor/htm-preact.js";
import { explanationOf } from "./answers.js";

/** {explanation, message, asking}: the last explanation stays until the next one arrives. */
export function useExplanation(item, question, worklist) {
  const [shown, show] = useState({ id: null, explanation: null, message: "", asking: false });
  const [round, setRound] = useState(0);
  const id = item?.id ?? null;
  useEffect(() => {
    if (!item) return undefined;
    let current = true;
    show((last) => ({ ...kept(last, id), id, message: "", asking: true }));
    explanationOf(item, asked(question)).then(
      (answer) => current && show({ id, explanation: answer.explanation, message: "", asking: false }),
      (error) => {
        if (!current) return;
        if (error.wantsKey) worklist.wantKey(error.message);
        show({ id, explanation: null, message: error.message, asking: false });
      },
    );
    return () => (current = false);
  }, [id, question, round]);
  const again = () => setRound(round + 1);
  return shown.id === id ? { ...shown, again } : { explanation: null, message: "", asking: Boolean(item), again };
}

const kept = (last, id) => ({ explanation: last.id === id ? last.explanation : null });

export function asked({ method, target, member }) {
  return { method, target, ...(member && { member }) };
}
