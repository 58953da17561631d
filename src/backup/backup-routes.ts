/** The routes of backups, alike in both programs. */
import { createReadStream } from 'node:fs';
import Type from 'typebox';
import type { App } from '../platform/http.ts';
import { sendRefusal, sendResult } from '../platform/http-problem.ts';
import { AnyItem, answer, body } from '../platform/http-schemas.ts';
import { text } from '../platform/http-validation.ts';
import type { Backups } from './backups.ts';

const tags = ['Backups'];
const BackupId = text(200, 'Id of a backup');
const Settings = {
  every: Type.Union([Type.String(), Type.Null()], { description: '12h, 1d, 2w; null: no schedule' }),
  keep: Type.Integer({ description: 'How many scheduled ones are kept' }),
  folder: Type.Union([Type.String(), Type.Null()], { description: 'null: in the data folder' }),
  recipient: Type.Union([Type.String(), Type.Null()], {
    description: 'Public key of age that they are sealed to',
  }),
};
const SettingsAnswer = answer(Settings);
const BackupAnswer = answer({
  id: Type.String(),
  state: Type.Enum(['running', 'kept', 'failed']),
  percent: Type.Integer(),
  file: Type.String(),
  at: Type.String(),
});

export function addBackupRoutes(app: App, backups: Backups): void {
  addSettings(app, backups);
  addMaking(app, backups);
  addKept(app, backups);
}

function addSettings(app: App, backups: Backups): void {
  app.get(
    '/v1/admin/backups/settings',
    {
      config: { admin: true },
      schema: { tags, summary: 'Schedule, folder and key of backups', response: { 200: SettingsAnswer } },
    },
    async () => (await backups.list()).settings,
  );
  app.put(
    '/v1/admin/backups/settings',
    {
      config: { admin: true, refusals: ['invalid-input', 'backup-key-exists', 'backup-key-missing'] },
      schema: {
        tags,
        summary: 'Sets what is given of schedule, folder and key',
        body: body({
          every: Type.Optional(Type.String({ description: '12h, 1d, 2w, or off' })),
          keep: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
          folder: Type.Optional(
            Type.String({ description: 'A full path on that machine; empty: the data folder' }),
          ),
          recipient: Type.Optional(Type.String()),
          replace: Type.Optional(
            Type.Boolean({ description: 'The recipient may take the place of another' }),
          ),
        }),
        response: { 200: SettingsAnswer },
      },
    },
    async (request, reply) => sendResult(reply, await backups.change(request.body)),
  );
}

function addMaking(app: App, backups: Backups): void {
  app.post(
    '/v1/admin/backups',
    {
      config: { admin: true, refusals: ['backup-key-missing', 'backup-running'] },
      schema: {
        tags,
        summary: 'Begins a backup, to be fetched when it is there',
        response: { 202: BackupAnswer },
      },
    },
    async (request, reply) => {
      const { idempotencyKey: key } = request;
      sendResult(reply, await backups.start({ scheduled: false, key }), 202);
    },
  );
  app.get(
    '/v1/admin/backups',
    {
      config: { admin: true },
      schema: {
        tags,
        summary: 'What is kept, what is under way, and the settings',
        response: {
          200: answer({
            settings: SettingsAnswer,
            running: Type.Union([Type.Null(), BackupAnswer]),
            kept: Type.Array(BackupAnswer),
            last: Type.Union([Type.Null(), AnyItem]),
            next: Type.Union([Type.Null(), Type.String()]),
          }),
        },
      },
    },
    async () => {
      const view = await backups.list();
      return { ...view, kept: [...view.kept] };
    },
  );
}

function addKept(app: App, backups: Backups): void {
  const params = Type.Object({ id: BackupId });
  app.get(
    '/v1/admin/backups/:id',
    {
      config: { admin: true, refusals: ['not-found'] },
      schema: { tags, summary: 'One backup, and how far it is', params, response: { 200: BackupAnswer } },
    },
    async (request, reply) => sendResult(reply, await backups.find(request.params.id)),
  );
  app.get(
    '/v1/admin/backups/:id/file',
    {
      config: { admin: true, refusals: ['not-found', 'backup-running'] },
      schema: { tags, summary: 'The file itself', params, produces: ['application/octet-stream'] },
    },
    async (request, reply) => {
      const found = await backups.readable(request.params.id);
      if (!found.ok) {
        sendRefusal(reply, found.error);
        return reply;
      }
      reply.type('application/octet-stream').header('content-length', found.value.bytes ?? 0);
      return reply.send(createReadStream(found.value.file) as never);
    },
  );
  app.delete(
    '/v1/admin/backups/:id',
    {
      config: { admin: true, refusals: ['not-found', 'backup-running'] },
      schema: { tags, summary: 'Removes a backup', params, response: { 200: BackupAnswer } },
    },
    async (request, reply) => sendResult(reply, await backups.remove(request.params.id)),
  );
}
