"""From images and annotations to training batches: conversion, MindRecord, augmentation."""
