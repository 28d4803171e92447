import { settings, log } from 'cordboard:hub/host@1.0.0';

export const about = {
  describe() {
    return {
      name: 'javascript-sink',
      version: '1.0.0',
      summary: 'Posts each call to a URL; written in JavaScript',
      settingsSchema: JSON.stringify({
        type: 'object',
        required: ['url'],
        properties: { url: { type: 'string' } },
      }),
      hosts: ['{url}'],
      batch: 10,
      rate: undefined,
      commands: [],
    };
  },
};

export const sink = {
  async deliver(changes) {
    const { url } = JSON.parse(settings());
    const outcomes = [];
    for (const change of changes) outcomes.push(await deliverOne(url, change));
    return outcomes;
  },

  check() {
    return [];
  },
};

/// 64-bit numbers are BigInt here, which JSON does not know.
const plain = (_, value) => (typeof value === 'bigint' ? Number(value) : value);

async function deliverOne(url, change) {
  if (change.item.tag !== 'call') return { tag: 'skipped', val: 'only calls are posted' };
  let response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ subject: change.subject, call: change.item.val }, plain),
    });
  } catch (error) {
    return failed({ tag: 'retryable', val: { why: `no answer: ${error}` } });
  }
  const text = await response.text();
  log('info', `answered ${response.status}`);
  if (response.ok) {
    return {
      tag: 'done',
      val: { externalId: JSON.parse(text).id, url: undefined, shortened: [], memo: new Uint8Array() },
    };
  }
  const why = `answered ${response.status}: ${text.slice(0, 200)}`;
  if (response.status === 401) return failed({ tag: 'unauthorized', val: why });
  if (response.status === 429) return failed({ tag: 'rate-limited', val: undefined });
  if (response.status >= 500) return failed({ tag: 'retryable', val: { why, status: response.status } });
  return failed({ tag: 'rejected', val: { code: `http-${response.status}`, why } });
}

const failed = (failure) => ({ tag: 'failed', val: failure });
