// Stands in for Stripe.js, which Stripe allows to be loaded only from its own address. It has the parts
// of its API that the checkout uses, records each call, and lets the story confirm the payment.
window.stripeCalls = [];

function record(name, value) {
  window.stripeCalls.push([name, JSON.parse(JSON.stringify(value ?? null))]);
}

class PaymentElement {
  #listeners = {};

  on(event, listener) {
    this.#listeners[event] = listener;
  }

  // Stripe's fields are a page of its own, in a frame.
  mount(place) {
    record('mount', place.className);
    const frame = document.createElement('iframe');
    frame.title = 'Secure payment input frame';
    frame.src = 'https://js.stripe.com/v3/frame';
    frame.onload = () => this.#listeners.ready?.();
    place.append(frame);
  }

  destroy() {
    record('destroy');
  }
}

class Elements {
  constructor({ clientSecret, ...options }) {
    record('elements', { clientSecret, locale: options.locale, theme: options.appearance.theme });
    this.clientSecret = clientSecret;
  }

  create(type) {
    record('create', type);
    return new PaymentElement();
  }

  update(options) {
    record('update', Object.keys(options));
  }
}

window.Stripe = (key, { locale }) => {
  record('Stripe', { key, locale });
  return {
    elements: (options) => new Elements(options),
    async confirmPayment({ elements, confirmParams, redirect }) {
      record('confirmPayment', { returnPath: new URL(confirmParams.return_url).pathname, redirect });
      return window.confirmAtSandbox(elements.clientSecret);
    },
    async retrievePaymentIntent(clientSecret) {
      record('retrievePaymentIntent', clientSecret);
      return { paymentIntent: { status: 'requires_payment_method' } };
    },
  };
};
