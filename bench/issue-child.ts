/** A program of the benchmark in a process of its own, which is asked and answers over the IPC channel. */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

export interface Child {
  /** Asks for one thing at a time; throws what went wrong there. */
  readonly ask: <T>(what: object) => Promise<T>;
  readonly stop: () => Promise<void>;
}

/** Starts `file` (beside this one) with arguments. */
export function startChild(file: string, args: readonly string[] = []): Child {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, [...args], { serialization: 'advanced', stdio: 'inherit' });
  let asked = 0;
  const ask = <T>(what: object): Promise<T> => {
    asked += 1;
    const id = asked;
    return new Promise<T>((resolve, reject) => {
      const onExit = (): void => reject(new Error(`${file} has ended`));
      const onMessage = (answer: Answer): void => {
        if (answer.id !== id) return;
        child.off('message', onMessage).off('exit', onExit);
        if (answer.error === undefined) resolve(answer.value as T);
        else reject(new Error(`${file}: ${answer.error}`));
      };
      child.on('message', onMessage).on('exit', onExit);
      child.send({ ...what, id });
    });
  };
  return { ask, stop: () => stopChild(child) };
}

function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

/** The other end: answers each question with what `work` makes of it. */
export function answerParent<Question>(work: (question: Question) => unknown): void {
  process.on('message', (question: Question & { readonly id: number }) => {
    const { id } = question;
    Promise.resolve()
      .then(() => work(question))
      .then(
        (value) => process.send?.({ id, value }),
        (error: unknown) =>
          process.send?.({ id, error: error instanceof Error ? error.stack : String(error) }),
      );
  });
}
