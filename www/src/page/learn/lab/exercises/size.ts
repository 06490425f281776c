import { unitSizes } from '../../facts.ts';
import { type Exercise, ofModel } from '../exercise.ts';
import { LAB } from '../words.ts';

const { missing, why } = LAB;

export const size: Exercise = {
  setups: {},
  answers: {
    share: ofModel(({ linear_parameters: inside, parameters: all }) => {
      return { values: [(100 * inside) / all], tolerance: 0.5, why: why.share(inside, all) };
    }, missing.model),
    neuron: ofModel((model) => {
      const sizes = unitSizes(model);
      if (!sizes) return { missing: missing.shape };
      return { values: [sizes.neuron], tolerance: 0, why: why.neuron(sizes.neuron) };
    }, missing.model),
    shrinks: ofModel(({ linear_parameters: inside, parameters: all }) => {
      return { values: [(50 * inside) / all], tolerance: 0.5, why: why.shrinks(inside / all) };
    }, missing.model),
  },
};
