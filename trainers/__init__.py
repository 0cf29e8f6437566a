"""One model on one device: encode, tag, warm up, train, evaluate, save."""
