// Ways by which code could send something to another origin. Each takes that origin and settles: `reached`, or it rejects.

/** Ways that a page and a worker have. */
export const ANYWHERE = {
  fetch: (origin) => fetch(`${origin}/fetch`, { mode: 'no-cors' }).then(() => 'reached'),
  'fetch with a body': (origin) =>
    fetch(`${origin}/body`, { method: 'POST', mode: 'no-cors', body: 'secret', keepalive: true }).then(() => 'reached'),
  XMLHttpRequest: (origin) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.onload = () => resolve('reached');
      request.onerror = () => reject(new Error('refused'));
      request.open('GET', `${origin}/xhr`);
      request.send();
    }),
  EventSource: (origin) =>
    new Promise((resolve, reject) => {
      const source = new EventSource(`${origin}/events`);
      source.onopen = () => resolve('reached');
      source.onerror = () => reject(new Error('refused'));
    }),
  WebSocket: (origin) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${origin.replace('http', 'ws')}/socket`);
      socket.onopen = () => resolve('reached');
      socket.onerror = () => reject(new Error('refused'));
    }),
  'dynamic import': (origin) => import(`${origin}/module.js`).then(() => 'reached'),
};

const element = (tag, attribute, path, more = '') =>
  // Functions go to the page as text, so that they can hold nothing from here but text.
  new Function(
    'origin',
    `return new Promise((resolve, reject) => {
      const one = document.createElement('${tag}');
      one.onload = () => resolve('reached');
      one.onerror = () => reject(new Error('refused'));
      ${more}
      one.${attribute} = origin + '${path}';
      document.head.append(one);
    })`,
  );

/** Ways that only a page has. */
export const IN_A_PAGE = {
  'an image': element('img', 'src', '/image.png'),
  'a script': element('script', 'src', '/script.js'),
  'a style sheet': element('link', 'href', '/style.css', "one.rel = 'stylesheet';"),
  'a frame': (origin) =>
    new Promise((resolve, reject) => {
      document.addEventListener('securitypolicyviolation', () => reject(new Error('refused')), { once: true });
      const frame = document.createElement('iframe');
      frame.src = `${origin}/frame`;
      document.body.append(frame);
      setTimeout(() => resolve('reached'), 5000);
    }),
  'a font': (origin) => new FontFace('elsewhere', `url(${origin}/font.woff2)`).load().then(() => 'reached'),
  // A beacon tells its sender nothing: the violation does.
  'a beacon': (origin) =>
    new Promise((resolve, reject) => {
      document.addEventListener('securitypolicyviolation', () => reject(new Error('refused')), { once: true });
      navigator.sendBeacon(`${origin}/beacon`, 'secret');
      setTimeout(() => resolve('reached'), 2000);
    }),
  'a form': (origin) =>
    new Promise((resolve, reject) => {
      document.addEventListener('securitypolicyviolation', () => reject(new Error('refused')), { once: true });
      const form = document.createElement('form');
      const frame = document.createElement('iframe');
      frame.name = 'target';
      Object.assign(form, { action: `${origin}/form`, target: 'target', method: 'post' });
      document.body.append(frame, form);
      form.submit();
      setTimeout(() => resolve('reached'), 2000);
    }),
};
